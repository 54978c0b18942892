// Package kms signs with a secp256k1 key that never leaves AWS KMS (key spec ECC_SECG_P256K1, usage SIGN_VERIFY). Its
// Signer fits the Ethereum client's interface of that name; neither package knows the other, so that a program without
// KMS does not link the AWS SDK.
package kms

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/ethereum/go-ethereum/crypto"
)

var (
	// ErrKey says that the key can't sign for Ethereum: another kind of key, disabled, deleted, or not found. Only an
	// operator can fix it.
	ErrKey = errors.New("KMS key can't sign for Ethereum")
	// ErrDenied says that the function's role may not use the key: allow kms:GetPublicKey and kms:Sign on it.
	ErrDenied = errors.New("KMS denies the use of the key")
)

// API is what is used of the AWS client.
type API interface {
	GetPublicKey(context.Context, *awskms.GetPublicKeyInput,
		...func(*awskms.Options)) (*awskms.GetPublicKeyOutput, error)
	Sign(context.Context, *awskms.SignInput, ...func(*awskms.Options)) (*awskms.SignOutput, error)
}

// Signer signs with one key. Safe for concurrent use.
type Signer struct {
	api API
	key string

	mu     sync.Mutex
	public []byte // uncompressed point of 65 bytes; nil until it was asked for
}

// New returns the signer of a key, named by id, ARN or alias. It makes no request.
func New(cfg aws.Config, key string) *Signer { return NewWith(awskms.NewFromConfig(cfg), key) }

// NewWith is New with a client.
func NewWith(api API, key string) *Signer { return &Signer{api: api, key: key} }

// Address is the key's Ethereum account. The public key is asked for once.
func (s *Signer) Address(ctx context.Context) ([20]byte, error) {
	p, err := s.publicKey(ctx)
	if err != nil {
		return [20]byte{}, err
	}
	return [20]byte(crypto.Keccak256(p[1:])[12:]), nil
}

func (s *Signer) publicKey(ctx context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.public != nil {
		return s.public, nil
	}
	out, err := s.api.GetPublicKey(ctx, &awskms.GetPublicKeyInput{KeyId: &s.key})
	if err != nil {
		return nil, s.translate("read the public key", err)
	}
	// Emulators leave the spec out; the key itself names its curve too.
	if out.KeySpec != "" && out.KeySpec != types.KeySpecEccSecgP256k1 || out.KeyUsage != types.KeyUsageTypeSignVerify {
		return nil, fmt.Errorf("key %s is %s for %s, want %s for %s: %w", s.key, out.KeySpec, out.KeyUsage,
			types.KeySpecEccSecgP256k1, types.KeyUsageTypeSignVerify, ErrKey)
	}
	p, err := parsePublicKey(out.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("public key of %s: %w", s.key, err)
	}
	s.public = p
	return p, nil
}

// SignDigest signs a 32-byte digest: r, s (the lower of the two, as Ethereum wants since EIP-2), and the recovery id 0
// or 1 in the last byte. Two signatures of one digest may differ.
func (s *Signer) SignDigest(ctx context.Context, digest [32]byte) (sig [65]byte, err error) {
	public, err := s.publicKey(ctx)
	if err != nil {
		return sig, err
	}
	out, err := s.api.Sign(ctx, &awskms.SignInput{
		KeyId: &s.key, Message: digest[:], MessageType: types.MessageTypeDigest,
		SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256,
	})
	if err != nil {
		return sig, s.translate("sign", err)
	}
	if sig, err = fromDER(out.Signature); err != nil {
		return sig, fmt.Errorf("signature of %s: %w", s.key, err)
	}
	for v := range byte(2) {
		sig[64] = v
		if p, err := crypto.Ecrecover(digest[:], sig[:]); err == nil && string(p) == string(public) {
			return sig, nil
		}
	}
	return [65]byte{}, fmt.Errorf("signature of %s: it is not of the key: %w", s.key, ErrKey)
}

// translate turns the service's errors into this package's; others are transient failures.
func (s *Signer) translate(what string, err error) error {
	err = fmt.Errorf("KMS: %s of %s: %w", what, s.key, err)
	var api interface{ ErrorCode() string }
	if !errors.As(err, &api) {
		return err
	}
	switch api.ErrorCode() {
	case "AccessDeniedException":
		return fmt.Errorf("%w: %w", ErrDenied, err)
	case "NotFoundException", "DisabledException", "KMSInvalidStateException", "InvalidKeyUsageException",
		"UnsupportedOperationException", "InvalidArnException":
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	return err
}
