package kms_test

import (
	"context"
	"crypto/ecdsa"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"sync"
	"testing"

	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/madara-orchestrator/orchestrator/shared/client/kms"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// service is KMS with one key. It answers with high and low s in turn.
type service struct {
	key  *ecdsa.PrivateKey
	spec types.KeySpec

	mu      sync.Mutex
	asked   int
	signed  int
	err     error
	other   *ecdsa.PrivateKey // signs instead
	garbage []byte            // is the signature
	public  []byte            // is the public key
}

func newService(t testing.TB) *service {
	t.Helper()
	k, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return &service{key: k, spec: types.KeySpecEccSecgP256k1}
}

func (s *service) GetPublicKey(ctx context.Context, in *awskms.GetPublicKeyInput,
	_ ...func(*awskms.Options)) (*awskms.GetPublicKeyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if err := errors.Join(ctx.Err(), s.err); err != nil {
		return nil, err
	}
	der := s.public
	if der == nil {
		der = publicKey(crypto.FromECDSAPub(&s.key.PublicKey), asn1.ObjectIdentifier{1, 3, 132, 0, 10})
	}
	return &awskms.GetPublicKeyOutput{KeyId: in.KeyId, KeySpec: s.spec, KeyUsage: types.KeyUsageTypeSignVerify,
		PublicKey: der}, nil
}

func publicKey(point []byte, curve asn1.ObjectIdentifier) []byte {
	type algorithm struct{ Key, Curve asn1.ObjectIdentifier }
	der, err := asn1.Marshal(struct {
		Algorithm algorithm
		Point     asn1.BitString
	}{algorithm{asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, curve},
		asn1.BitString{Bytes: point, BitLength: 8 * len(point)}})
	if err != nil {
		panic(err)
	}
	return der
}

func (s *service) Sign(ctx context.Context, in *awskms.SignInput,
	_ ...func(*awskms.Options)) (*awskms.SignOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(ctx.Err(), s.err); err != nil {
		return nil, err
	}
	if s.garbage != nil {
		return &awskms.SignOutput{Signature: s.garbage}, nil
	}
	if in.MessageType != types.MessageTypeDigest || in.SigningAlgorithm != types.SigningAlgorithmSpecEcdsaSha256 {
		return nil, errors.New("the digest would be hashed again")
	}
	key := s.key
	if s.other != nil {
		key = s.other
	}
	sig, err := crypto.Sign(in.Message, key)
	if err != nil {
		return nil, err
	}
	r, low := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:64])
	if s.signed++; s.signed%2 == 1 {
		low.Sub(crypto.S256().Params().N, low)
	}
	der, err := asn1.Marshal(struct{ R, S *big.Int }{r, low})
	return &awskms.SignOutput{Signature: der}, err
}

func TestSigner_Signs(t *testing.T) {
	t.Parallel()
	api := newService(t)
	s := kms.NewWith(api, "alias/settlement")
	address, err := s.Address(t.Context())
	if err != nil || address != crypto.PubkeyToAddress(api.key.PublicKey) {
		t.Fatalf("address %x, %v", address, err)
	}
	half := new(big.Int).Rsh(crypto.S256().Params().N, 1)
	ids := map[byte]bool{}
	for i := range byte(32) {
		digest := [32]byte(crypto.Keccak256([]byte{i}))
		sig, err := s.SignDigest(t.Context(), digest)
		if err != nil {
			t.Fatal(err)
		}
		if new(big.Int).SetBytes(sig[32:64]).Cmp(half) > 0 {
			t.Errorf("signature %d has a high s", i)
		}
		key, err := crypto.SigToPub(digest[:], sig[:])
		if err != nil || crypto.PubkeyToAddress(*key) != address {
			t.Errorf("signature %d recovers to another key: %v", i, err)
		}
		ids[sig[64]] = true
	}
	if !ids[0] || !ids[1] {
		t.Errorf("recovery ids %v", ids)
	}
	if api.asked != 1 {
		t.Errorf("the public key was asked for %d times", api.asked)
	}
}

func TestSigner_Concurrent(t *testing.T) {
	t.Parallel()
	s := kms.NewWith(newService(t), "k")
	var wg sync.WaitGroup
	for i := range byte(8) {
		wg.Go(func() {
			if _, err := s.SignDigest(t.Context(), [32]byte{i, 1}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestSigner_RefusesFaults(t *testing.T) {
	t.Parallel()
	other := newService(t).key
	for name, c := range map[string]struct {
		change func(*service)
		want   error
	}{
		"KeySpec": {func(s *service) { s.spec = types.KeySpecEccNistP256 }, kms.ErrKey},
		"OtherCurve": {func(s *service) {
			s.public = publicKey(make([]byte, 65), asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7})
		}, kms.ErrKey},
		"NoPoint": {
			func(s *service) { s.public = publicKey(make([]byte, 65), asn1.ObjectIdentifier{1, 3, 132, 0, 10}) }, nil},
		"NoDER":     {func(s *service) { s.public = []byte("?") }, nil},
		"Garbage":   {func(s *service) { s.garbage = []byte{0x30, 0x01} }, nil},
		"Endless":   {func(s *service) { s.garbage = make([]byte, 1<<20) }, nil},
		"ZeroS":     {func(s *service) { s.garbage = []byte{0x30, 6, 2, 1, 1, 2, 1, 0} }, nil},
		"OtherKey":  {func(s *service) { s.other = other }, kms.ErrKey},
		"Disabled":  {func(s *service) { s.err = &types.DisabledException{} }, kms.ErrKey},
		"NotFound":  {func(s *service) { s.err = &types.NotFoundException{} }, kms.ErrKey},
		"Denied":    {func(s *service) { s.err = denied{} }, kms.ErrDenied},
		"Throttled": {func(s *service) { s.err = &types.LimitExceededException{} }, nil},
	} {
		api := newService(t)
		c.change(api)
		_, err := kms.NewWith(api, "k").SignDigest(t.Context(), [32]byte{1})
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if c.want == nil && (errors.Is(err, kms.ErrKey) || errors.Is(err, kms.ErrDenied)) {
			t.Errorf("%s: %v counts as a fault of the key or its rights", name, err)
		}
	}
}

// TestSigner_AsksAgain: a failure of the first question is not kept.
func TestSigner_AsksAgain(t *testing.T) {
	t.Parallel()
	api := newService(t)
	api.err = errors.New("network")
	s := kms.NewWith(api, "k")
	if _, err := s.Address(t.Context()); !errors.Is(err, api.err) {
		t.Errorf("Address: %v", err)
	}
	api.err = nil
	if _, err := s.Address(t.Context()); err != nil {
		t.Errorf("Address after the failure: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.SignDigest(ctx, [32]byte{1}); !errors.Is(err, context.Canceled) {
		t.Errorf("SignDigest in an ended context: %v", err)
	}
}

type denied struct{}

func (denied) Error() string     { return "not authorized" }
func (denied) ErrorCode() string { return "AccessDeniedException" }

// The emulators' KMS signs with keys of Ethereum's curve, and names what it refuses as AWS does. moto reads past
// MessageType and hashes a digest again, and leaves the spec out of a public key: there the client must notice.
func TestEmulators(t *testing.T) {
	t.Parallel()
	tools.AWS(t, func(t *testing.T, endpoint string) {
		hashesAgain := strings.HasSuffix(t.Name(), "/moto")
		cfg := devcloud.Config(endpoint)
		api := awskms.NewFromConfig(cfg)
		made, err := api.CreateKey(t.Context(),
			&awskms.CreateKeyInput{KeySpec: types.KeySpecEccSecgP256k1, KeyUsage: types.KeyUsageTypeSignVerify})
		if err != nil {
			t.Fatal(err)
		}
		alias := "alias/wallet"
		if _, err := api.CreateAlias(t.Context(),
			&awskms.CreateAliasInput{AliasName: &alias, TargetKeyId: made.KeyMetadata.KeyId}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{*made.KeyMetadata.KeyId, *made.KeyMetadata.Arn, alias} {
			s := kms.New(cfg, name)
			digest := crypto.Keccak256Hash([]byte(name))
			address, err := s.Address(t.Context())
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			sig, err := s.SignDigest(t.Context(), digest)
			if hashesAgain {
				if !errors.Is(err, kms.ErrKey) {
					t.Errorf("%s: a signature of another digest: %v, want ErrKey", name, err)
				}
				continue
			}
			public, err2 := crypto.SigToPub(digest[:], sig[:])
			if err != nil || err2 != nil || crypto.PubkeyToAddress(*public) != address {
				t.Errorf("%s: signed by %v, %v %v; want %x", name, public, err, err2, address)
			}
		}
		other, err := api.CreateKey(t.Context(),
			&awskms.CreateKeyInput{KeySpec: types.KeySpecRsa2048, KeyUsage: types.KeyUsageTypeSignVerify})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{*other.KeyMetadata.KeyId, "00000000-0000-4000-8000-000000000000", "alias/none"} {
			_, err := kms.New(cfg, name).Address(t.Context())
			if noSpec := hashesAgain && name == *other.KeyMetadata.KeyId; err == nil ||
				!noSpec && !errors.Is(err, kms.ErrKey) {
				t.Errorf("%s: %v, want ErrKey", name, err)
			}
		}
	})
}
