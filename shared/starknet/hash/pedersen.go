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

// Bits are taken four at a time: a table has for each such digit of a number the point times the digit, at its place.
const (
	digits    = 62 // of the low 248 bits
	highDigit = 2  // of those above
	digitSize = 16
)

// pedersenTables are the points times every digit at every place.
type pedersenTables struct {
	shift starkcurve.G1Jac
	low   [2][digits][digitSize]starkcurve.G1Affine
	high  [2][highDigit][digitSize]starkcurve.G1Affine
}

// tables are made when they are needed first: most functions need them never, and a process that starts waits for
// nothing.
var tables = sync.OnceValue(func() *pedersenTables {
	t := &pedersenTables{shift: point(0)}
	for operand := range 2 {
		fill(t.low[operand][:], point(1+2*operand))
		fill(t.high[operand][:], point(2+2*operand))
	}
	return t
})

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

// fill makes the table of a point.
func fill(places [][digitSize]starkcurve.G1Affine, p starkcurve.G1Jac) {
	for i := range places {
		var sum starkcurve.G1Jac
		sum.Set(&p)
		for d := 1; d < digitSize; d++ {
			places[i][d].FromJacobian(&sum)
			sum.AddAssign(&p)
		}
		p = sum // sixteen times the point: the next place
	}
}

// Pedersen is the Pedersen hash of two felts.
func Pedersen(a, b felt.Felt) felt.Felt {
	t := tables()
	sum := t.shift
	for operand, f := range [2]felt.Felt{a, b} {
		add := func(b byte, places [][digitSize]starkcurve.G1Affine) {
			for i, d := range [2]byte{b & 0x0f, b >> 4} {
				if d > 0 {
					sum.AddMixed(&places[i][d])
				}
			}
		}
		for i := range felt.Bytes - 1 {
			add(f[felt.Bytes-1-i], t.low[operand][2*i:])
		}
		add(f[0], t.high[operand][:])
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
