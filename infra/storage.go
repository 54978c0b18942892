package main

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"

	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// unrotated is why Secrets Manager rotates no secret by itself.
const unrotated = "keys of the settlement layer, the prover and the database's owner: who gives them out changes " +
	"them, and the functions take them up (infra/README.md)"

// lifecycle are the bucket's rules.
func lifecycle(c Chain) *[]*awss3.LifecycleRule {
	days := func(n int) awscdk.Duration {
		if n == 0 {
			return nil
		}
		return awscdk.Duration_Days(jsii.Number(float64(n)))
	}
	var out []*awss3.LifecycleRule
	for _, r := range resource.LifecycleOf(c.Artifacts.Days, c.Artifacts.WorkDays) {
		x := &awss3.LifecycleRule{
			Id: jsii.String(r.ID), Expiration: days(r.Expire), AbortIncompleteMultipartUploadAfter: days(r.Uploads),
			NoncurrentVersionExpiration: days(r.Versions),
		}
		if r.Tag != "" {
			x.TagFilters = &map[string]any{r.Tag: r.Value}
		}
		if r.Versions > 0 && r.Tag == "" { // S3 takes it in no rule with a tag
			x.ExpiredObjectDeleteMarker = jsii.Bool(true)
		}
		out = append(out, x)
	}
	return &out
}

// storage makes the bucket of the artifacts, the secrets and the wallet's key.
func (s *Stack) storage() {
	s.bucket = awss3.NewBucket(s.Stack, jsii.String("Artifacts"), &awss3.BucketProps{
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		EnforceSSL:        jsii.Bool(true),
		Versioned:         jsii.Bool(s.chain.prod()),
		RemovalPolicy:     s.keep(),
		MinimumTLSVersion: jsii.Number(1.2),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		LifecycleRules:    lifecycle(s.chain),
	})
	excuse(s.bucket, "AwsSolutions-S1", "what is in it is public or will be (state diffs, proofs, broadcast "+
		"transactions); only roles of this stack write it")
	for _, w := range s.chain.words() {
		// No value: CloudFormation must not know it, and a generated one would be wrong. The functions wait for it.
		secret := awssecretsmanager.NewCfnSecret(s.Stack, jsii.String("Secret"+title(w)),
			&awssecretsmanager.CfnSecretProps{
				Name:        jsii.String(s.chain.secret(w)),
				Description: jsii.String("of the orchestrator of " + s.chain.Name),
			})
		secret.ApplyRemovalPolicy(s.keep(), nil)
		excuse(secret, "AwsSolutions-SMG4", unrotated)
		s.secrets[w] = secret
	}
	if s.chain.WalletKMS {
		s.walletKey = s.signingKey("Wallet", "settles "+s.chain.Name, "wallet")
	}
	if s.chain.DataWalletKMS {
		s.dataKey = s.signingKey("DataWallet", "publishes data of "+s.chain.Name, "da-wallet")
	}
}

// signingKey makes a key that signs transactions on Ethereum.
func (s *Stack) signingKey(id, about, alias string) awskms.Key {
	return awskms.NewKey(s.Stack, jsii.String(id), &awskms.KeyProps{
		KeySpec:       awskms.KeySpec_ECC_SECG_P256K1,
		KeyUsage:      awskms.KeyUsage_SIGN_VERIFY,
		RemovalPolicy: awscdk.RemovalPolicy_RETAIN,
		Description:   jsii.String(about),
		Alias:         jsii.String(resource.Physical(s.chain.Name, alias)),
	})
}

// title makes a logical id of a name: "state-transition" is StateTransition.
func title(name string) string {
	var b strings.Builder
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '-' || r == '_' || r == '/' }) {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}
