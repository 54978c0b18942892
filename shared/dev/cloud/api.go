package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/ethereum/go-ethereum/common"

	"github.com/madara-orchestrator/orchestrator/shared/client/deployment"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
)

// Wallet is the address of a deployment's wallet, as its API says it.
func Wallet(ctx context.Context, api deployment.API) (common.Address, error) {
	answer, err := api.Do(ctx, deployment.Request{Method: http.MethodGet, Path: "/wallet"})
	if err != nil {
		return common.Address{}, err
	}
	var w admin.Wallet
	if err := json.Unmarshal(answer.Body, &w); err != nil || !common.IsHexAddress(w.Address) {
		return common.Address{}, fmt.Errorf("/wallet answers %d %.200q: %w", answer.Status, answer.Body, err)
	}
	return common.HexToAddress(w.Address), nil
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
