package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/ethereum/go-ethereum/common"

	"github.com/madara-orchestrator/orchestrator/shared/client/deployment"
)

// Wallet is the address of the wallet that /ready of a deployment's API reports: 0x and 40 hex digits.
func Wallet(ctx context.Context, api deployment.API) (common.Address, error) {
	answer, err := api.Do(ctx, deployment.Request{Method: http.MethodGet, Path: "/ready"})
	if err != nil {
		return common.Address{}, err
	}
	var ready struct {
		Checks []struct{ Name, Detail, Error string } `json:"checks"`
	}
	if err := json.Unmarshal(answer.Body, &ready); err != nil {
		return common.Address{}, fmt.Errorf("/ready answers %.200q: %w", answer.Body, err)
	}
	for _, c := range ready.Checks {
		if c.Name != "wallet" {
			continue
		}
		for _, word := range strings.FieldsFunc(c.Detail+" "+c.Error,
			func(r rune) bool { return strings.ContainsRune(" ,:;()", r) }) {
			if strings.HasPrefix(word, "0x") && common.IsHexAddress(word) {
				return common.HexToAddress(word), nil
			}
		}
	}
	return common.Address{}, fmt.Errorf("/ready reports no wallet's address: %.500s", answer.Body)
}

// PutSecrets puts the values of secrets that a stack made, by name, as an operator does.
func PutSecrets(ctx context.Context, endpoint string, values map[string]string) error {
	api := secretsmanager.NewFromConfig(Config(endpoint))
	for name, value := range values {
		if _, err := api.PutSecretValue(ctx,
			&secretsmanager.PutSecretValueInput{SecretId: &name, SecretString: &value}); err != nil {
			return fmt.Errorf("put the value of secret %s: %w", name, err)
		}
	}
	return nil
}
