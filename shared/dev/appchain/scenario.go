package appchain

import (
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

func timeFactor(n uint64) time.Duration { return time.Duration(n) }

// name derives an address, key or hash of 250 bits from the seed, a tag and a number.
func (w *world) name(tag string, n uint64) felt.Felt {
	f := poseidonMany(mustShort(tag), felt.FromUint64(w.opts.Seed), felt.FromUint64(n))
	f[0] &= 0x03
	return f
}

// genesis deploys the fee token, accounts and applications.
func (d *draft) genesis() {
	for range 3 {
		d.declare()
	}
	d.token = d.deploy(0)
	for range 8 {
		a := d.deploy(1)
		d.accounts = append(d.accounts, a)
		d.write(d.token, d.balanceKey(a), felt.FromUint64(1_000_000_000))
	}
	for range 3 {
		d.apps = append(d.apps, d.deploy(2))
	}
	d.write(d.token, felt.FromUint64(1), felt.FromUint64(8_000_000_000)) // total supply, at a key that needs no alias
	d.tx(d.accounts[0], 3_000_000)
}

// declare declares a fresh Sierra class and returns its index.
func (d *draft) declare() int {
	i := len(d.classes)
	c := block.DeclaredClass{ClassHash: d.name("class", uint64(i)), CompiledClassHash: d.name("casm", uint64(i))}
	d.world.classes = append(d.world.classes, c)
	if !since(d.opts.versionAt(d.n), migrationSince) {
		d.world.unmoved = append(d.world.unmoved, i)
	}
	d.diff.Declared = append(d.diff.Declared, c)
	return i
}

func (d *draft) deploy(class int) felt.Felt {
	address := d.name("contract", d.deployed)
	d.deployed++
	d.fresh[address] = d.world.classes[class].ClassHash
	return address
}

func (d *draft) balanceKey(account felt.Felt) felt.Felt {
	k := poseidon(mustShort("ERC20_balances"), account)
	k[0] &= 0x07
	return k
}

// tx adds a transaction by an account, whose nonce it raises.
func (d *draft) tx(sender felt.Felt, l2Gas uint64) *transaction {
	nonce, known := d.nonces[sender]
	if !known {
		nonce, _ = d.state.nonces.latest(sender).Uint64()
	}
	d.nonces[sender] = nonce + 1
	d.txs = append(d.txs, transaction{
		hash: d.name("tx", d.n<<20|uint64(len(d.txs))), sender: sender, events: 1 + d.rng.IntN(3), l2Gas: l2Gas,
		l1Gas: 0})
	return &d.txs[len(d.txs)-1]
}

// transactions fills a block: transfers, application calls, now and then a declaration, deployment, replacement and
// messages.
func (d *draft) transactions() {
	for range max(1, d.opts.Transactions/2+d.rng.IntN(d.opts.Transactions+1)) {
		sender := d.accounts[d.rng.IntN(len(d.accounts))]
		tx := d.tx(sender, 500_000+uint64(d.rng.IntN(2_000_000)))
		switch d.rng.IntN(8) {
		case 0, 1, 2:
			d.transfer(sender, d.accounts[d.rng.IntN(len(d.accounts))], uint64(1+d.rng.IntN(5000)))
		case 3, 4:
			d.count(d.apps[d.rng.IntN(len(d.apps))])
		case 5:
			d.toggle(d.apps[0])
		case 6:
			d.fill(d.apps[d.rng.IntN(len(d.apps))])
		default:
			if !d.opts.NoMessagesToL1 {
				tx.toL1 = append(tx.toL1, d.withdrawal(sender))
				tx.l1Gas = 26_000
			}
		}
	}
	if d.n%7 == 3 {
		d.declare()
		d.tx(d.accounts[0], 4_000_000)
	}
	if d.n%5 == 2 {
		d.accounts = append(d.accounts, d.deploy(1))
		d.tx(d.accounts[1], 1_500_000)
	}
	if d.n%11 == 4 {
		app := d.apps[d.rng.IntN(len(d.apps))]
		d.replaced[app] = d.world.classes[d.rng.IntN(len(d.world.classes))].ClassHash
		d.tx(d.accounts[2], 700_000)
	}
	if d.n%4 == 1 && !d.opts.NoMessagesToL2 {
		d.delivered = append(d.delivered, d.deposit())
	}
}

func (d *draft) transfer(from, to felt.Felt, amount uint64) {
	a, b := d.balanceKey(from), d.balanceKey(to)
	have, _ := d.read(d.token, a).Uint64()
	amount = min(amount, have)
	d.write(d.token, a, felt.FromUint64(have-amount))
	other, _ := d.read(d.token, b).Uint64()
	d.write(d.token, b, felt.FromUint64(other+amount))
}

// count raises a counter at a small key, which compression leaves as it is.
func (d *draft) count(app felt.Felt) {
	key := felt.FromUint64(uint64(d.rng.IntN(100)))
	n, _ := d.read(app, key).Uint64()
	d.write(app, key, felt.FromUint64(n+1))
}

// toggle sets a slot in one block and clears it in another, so that a squash over both drops it.
func (d *draft) toggle(app felt.Felt) {
	key := d.name("lock", uint64(d.rng.IntN(4)))
	if d.read(app, key).IsZero() {
		d.write(app, key, felt.FromUint64(1))
		return
	}
	d.write(app, key, felt.Zero)
}

// fill writes a run of new slots with values of various sizes, which is what fills blobs.
func (d *draft) fill(app felt.Felt) {
	for i := range 1 + d.rng.IntN(12) {
		key := d.name("slot", d.n<<20|uint64(len(d.txs))<<8|uint64(i))
		value := d.name("value", d.rng.Uint64())
		copy(value[:], make([]byte, d.rng.IntN(31))) // leading zero bytes
		d.write(app, key, value)
	}
}

func (d *draft) withdrawal(sender felt.Felt) block.MessageToL1 {
	m := block.MessageToL1{From: d.token, To: felt.FromUint64(0xdead0000 + uint64(d.rng.IntN(1000)))}
	for range 1 + d.rng.IntN(4) {
		m.Payload = append(m.Payload, felt.FromUint64(d.rng.Uint64()))
	}
	d.transfer(sender, sender, 0)
	return m
}

// deposit is the next message of the settlement layer's sender: nonces count up from 0, as the core contract's do.
func (d *draft) deposit() block.MessageToL2 {
	to := d.accounts[d.rng.IntN(len(d.accounts))]
	m := block.MessageToL2{From: d.opts.L1Sender, To: d.token, Nonce: felt.FromUint64(d.l1Nonce),
		Selector: d.name("selector", 0),
		Payload:  []felt.Felt{to, felt.FromUint64(uint64(1 + d.rng.IntN(100000))), felt.Zero}}
	d.l1Nonce++
	return m
}

// deliveries consumes the messages that wait, one L1 handler each.
func (d *draft) deliveries() {
	for _, m := range d.delivered {
		contract, key := m.To, felt.FromUint64(0x5000+d.n)
		if d.state.classes.latest(contract).IsZero() {
			contract = d.token
		}
		if len(m.Payload) > 0 {
			key = d.balanceKey(m.Payload[0])
		}
		have, _ := d.read(contract, key).Uint64()
		d.write(contract, key, felt.FromUint64(have+1000))
		d.txs = append(d.txs, transaction{hash: d.name("tx", d.n<<20|uint64(len(d.txs))), toL2: &m, events: 1,
			l2Gas: 900_000, l1Gas: 8_000})
	}
	d.delivered = nil
}

// migrate moves up to two classes a block to the newer compiled class hash once the version asks for it.
func (d *draft) migrate() {
	if !since(d.opts.versionAt(d.n), migrationSince) {
		return
	}
	for range min(2, len(d.unmoved)) {
		i := d.unmoved[0]
		d.world.unmoved = d.unmoved[1:]
		c := &d.world.classes[i]
		c.CompiledClassHash = d.name("casm2", uint64(i))
		d.diff.MigratedCompiledHash = append(d.diff.MigratedCompiledHash, block.MigratedClass(*c))
	}
}
