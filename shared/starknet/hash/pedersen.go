package hash

import (
	"sync"

	starkcurve "github.com/consensys/gnark-crypto/ecc/stark-curve"
	"github.com/consensys/gnark-crypto/ecc/stark-curve/fp"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// The curve points of the Pedersen hash: the shift, then for each operand the point of its low 248 bits and the point
// of the bits above (cairo-lang, starkware/crypto/signature/fast_pedersen_hash.py).
var pedersenPoints = [5][2]string{
	{"2089986280348253421170679821480865132823066470938446095505822317253594081284",
		"1713931329540660377023406109199410414810705867260802078187082345529207694986"},
	{"996781205833008774514500082376783249102396023663454813447423147977397232763",
		"1668503676786377725805489344771023921079126552019160156920634619255970485781"},
	{"2251563274489750535117886426533222435294046428347329203627021249169616184184",
		"1798716007562728905295480679789526322175868328062420237419143593021674992973"},
	{"2138414695194151160943305727036575959195309218611738193261179310511854807447",
		"113410276730064486255102093846540133784865286929052426931474106396135072156"},
	{"2379962749567351885752724891227938183011949129833673362440656643086021394946",
		"776496453633298175483985398648758586525933812536653089401905292063708816422"},
}

// pedersenTables are the points times every digit at every place, where numbers are taken some bits at a time.
type pedersenTables struct {
	bits  int // of a digit; they divide 8
	shift starkcurve.G1Jac
	low   [2][][]starkcurve.G1Affine // by operand, place and digit: of the low 248 bits
	high  [2][][]starkcurve.G1Affine // of those above
}

// Tables are made when they are needed first: most functions need none, and a process that starts waits for nothing.
var (
	tables = sync.OnceValue(func() *pedersenTables { return makeTables(4) }) // for those who hash a little: 120 KB
	wide   = sync.OnceValue(func() *pedersenTables { return makeTables(8) }) // 1 MB, in twice the time
)

func makeTables(bits int) *pedersenTables {
	t := &pedersenTables{bits: bits, shift: point(0)}
	for operand := range 2 {
		t.low[operand] = places(point(1+2*operand), (felt.Bytes-1)*8/bits, bits)
		t.high[operand] = places(point(2+2*operand), 8/bits, bits)
	}
	return t
}

// point is one of pedersenPoints.
func point(i int) (p starkcurve.G1Jac) {
	for to, text := range map[*fp.Element]string{&p.X: pedersenPoints[i][0], &p.Y: pedersenPoints[i][1]} {
		if _, err := to.SetString(text); err != nil {
			panic(err) // a constant
		}
	}
	p.Z.SetOne()
	return p
}

// places is the table of a point for n digits, the lowest first.
func places(p starkcurve.G1Jac, n, bits int) [][]starkcurve.G1Affine {
	out := make([][]starkcurve.G1Affine, n)
	sums := make([]starkcurve.G1Jac, 1<<bits+1)
	for i := range out {
		var once starkcurve.G1Affine
		once.FromJacobian(&p)
		sums[1].Set(&p)
		sums[2].Double(&p)
		for d := 3; d < len(sums); d++ {
			sums[d].Set(&sums[d-1])
			sums[d].AddMixed(&once)
		}
		out[i] = append(make([]starkcurve.G1Affine, 1, 1<<bits), starkcurve.BatchJacobianToAffineG1(sums[1:1<<bits])...)
		p = sums[1<<bits] // the point of the next place
	}
	return out
}

// Pedersen is the Pedersen hash of two felts.
func Pedersen(a, b felt.Felt) felt.Felt { return tables().hash(a, b) }

// PedersenOften is Pedersen for who hashes thousands: in less time, once larger tables are made.
func PedersenOften(a, b felt.Felt) felt.Felt { return wide().hash(a, b) }

func (t *pedersenTables) hash(a, b felt.Felt) felt.Felt {
	sum := t.shift
	for operand, f := range [2]felt.Felt{a, b} {
		add := func(b byte, places [][]starkcurve.G1Affine) {
			for i := 0; b > 0; i++ {
				if d := b & (1<<t.bits - 1); d > 0 {
					sum.AddMixed(&places[i][d])
				}
				b >>= t.bits
			}
		}
		for i := range felt.Bytes - 1 {
			add(f[felt.Bytes-1-i], t.low[operand][i*8/t.bits:])
		}
		add(f[0], t.high[operand])
	}
	var x fp.Element
	x.Inverse(&sum.Z)
	x.Square(&x)
	x.Mul(&x, &sum.X)
	return x.Bytes()
}

// PedersenArray is the Pedersen hash of a list, with its length hashed last.
func PedersenArray(fs []felt.Felt) (h felt.Felt) {
	for _, f := range fs {
		h = Pedersen(h, f)
	}
	return Pedersen(h, felt.FromUint64(uint64(len(fs))))
}
