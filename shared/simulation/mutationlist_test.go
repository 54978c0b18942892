package simulation_test

// mutations are the deliberate bugs, each of which the simulation must catch.
var mutations = []mutation{
	{"drop the generation check", []edit{{
		"core/job/machine.go",
		"case m.Generation != j.Generation, m.Action != j.NextAction, j.NextAction == None:",
		"case m.Action != j.NextAction, j.NextAction == None:",
	}}},
	{"broadcast before recording", []edit{{
		"service/sending/sending.go",
		"	if err := t.Raw.PutNew(ctx, rec.RawKey",
		"	if err := t.Chain.Broadcast(ctx, signed, payload); err != nil {\n" +
			"		return Progress{}, err\n" +
			"	}\n" +
			"	if err := t.Raw.PutNew(ctx, rec.RawKey",
	}}},
	{"sign again on every retry", []edit{{
		"core/tx/decide.go",
		"		return decideOpen(r, own, v, p)",
		"		_ = r\n" +
			"		return p.first(max(v.Account.Pending, v.Account.Latest), v)",
	}}},
	{"replace at another nonce", []edit{{
		"core/tx/fees.go",
		"d := Decision{Step: Sign, Nonce: held.Nonce,",
		"d := Decision{Step: Sign, Nonce: v.Account.Pending,",
	}}},
	{"work on a job before it is due", []edit{{
		"core/job/machine.go",
		"	case now.Add(Skew).Before(j.DueAt):",
		"	case false && now.Add(Skew).Before(j.DueAt):",
	}}},
	{"let artifacts expire before the batch is final", []edit{{
		"service/cleanup/cleanup.go",
		"return j.Status == job.Completed && j.NextAction == job.None && (!ok || m.Finalized)",
		"_, _ = m, ok\n" +
			"	return j.Status == job.Completed",
	}}},
	{"leave a publication unwatched", []edit{{
		"service/datasubmission/datasubmission.go",
		"Watch: final < len(parts(m)) || h.Archive != nil}",
		"Watch: false}",
	}}},
	{"count on the nonces of the wallet before", []edit{{
		"core/tx/tx.go",
		"func (r Record) by(account string) bool { return r.Account == \"\" || r.Account == account }",
		"func (r Record) by(account string) bool { return r.Account != account || true }",
	}}},
	{"no fee cap", []edit{{
		"core/tx/fees.go",
		"	if p.FeeCap == nil {\n" +
			"		return nil\n" +
			"	}\n" +
			"	return new(big.Int).Sub(p.FeeCap, orZero(v.reserved))",
		"	return nil",
	}}},
	{"a fee cap for each transaction alone", []edit{{
		"core/tx/flight.go",
		"		if n != nonce {",
		"		if n != nonce && nonce == 0 {",
	}}},
	{"any number of transactions on the way", []edit{{
		"core/tx/flight.go",
		"	case len(blobs) >= most:",
		"	case len(blobs) >= 4*most:",
	}}},
	{"any number of blobs on the way", []edit{{
		"core/tx/flight.go",
		"	case p.BlockBlobs > 0 && v.Blobs > 0 && sum > p.BlockBlobs:",
		"	case p.BlockBlobs < 0:",
	}}},
	{"take the nonce of another job's transaction", []edit{{
		"core/tx/flight.go",
		"		case f.Nonce == nonce && f.Order != Behind && v.Now.Sub(f.SignedAt) < p.ReplaceAfter:",
		"		case f.Nonce == nonce && f.Order != Behind && v.Now.Sub(f.SignedAt) < -p.ReplaceAfter:",
	}}},
	{"forget the transactions of jobs that wait for an operator", []edit{{
		"service/sending/flights.go",
		"Statuses: job.Unfinished(), Limit",
		"Statuses: []job.Status{job.Created, job.LockedForProcessing, job.PendingVerification, " +
			"job.VerificationFailed}, Limit",
	}}},
	{"a lease for each job instead of one for the wallet", []edit{{
		"service/sending/sending.go",
		"	held, err := s.Lease.Acquire(ctx, s.LeaseName, r.JobID, walletTTL)",
		"	held, err := s.Lease.Acquire(ctx, s.LeaseName+r.JobID, r.JobID, walletTTL)",
	}}},
	{"skip the reconcile query", []edit{{
		"service/reconcile/reconcile.go",
		"	for _, j := range due {",
		"	for _, j := range due[:0] {",
	}}},
	{"lose an alert for good", []edit{{
		"core/alert/report.go",
		"|| now.Sub(r.ReportedAt) >= Reminder",
		"",
	}}},
	{"leave a report open whose cause is over", []edit{{
		"service/executor/alerts.go",
		"	if old.Status.NeedsOperator() && !now.Status.NeedsOperator() {",
		"	if false {",
	}, {
		"service/reconcile/reconcile.go",
		"			return lasting[o.Key] || !whole",
		"			return true || !whole",
	}}},
	{"ignore lock, fence and version of batches", []edit{{
		"client/memory/batches.go",
		"		if was.fence > f.fence {",
		"		*f.version, f.fence = *was.version, max(f.fence, was.fence)\n" +
			"		if was.fence > f.fence {",
	}, {
		"client/memory/locks.go",
		"if l.Owner != \"\" && l.Owner != owner && now.Before(l.ExpiresAt) {",
		"if false {",
	}, {
		"client/memory/locks.go",
		"if held.Owner != l.Owner || held.Fence != l.Fence || !now.Before(held.ExpiresAt) {",
		"if false {",
	}}},
	{"ignore the version of jobs", []edit{{
		"client/memory/jobs.go",
		"		if old.Version != j.Version {",
		"		j.Version = old.Version\n" +
			"		if old.Version != j.Version {",
	}}},
	{"leave a settled batch unwatched", []edit{{
		"core/job/machine.go",
		"return next.plan(Completed, Verify, now.Add(p.Watch.Delay(next.Attempts.Verify)))",
		"return next.plan(Completed, None, time.Time{})",
	}}},
	{"submit without a recorded dedup id", []edit{{
		"service/proofcreation/proofcreation.go",
		"		*t.DedupID = r.Job.AttemptID()\n" +
			"		if err := r.Checkpoint(ctx); err != nil {\n" +
			"			return err\n" +
			"		}",
		"		*t.DedupID = r.Job.AttemptID() + r.Job.UpdatedAt.String()",
	}}},
	{"join another history", []edit{{
		"service/batching/history.go",
		"		case on.any && !on.hash.IsZero() && h.ParentHash != on.hash && i == 0:",
		"		case false:",
	}, {
		"service/batching/history.go",
		"		case on.any && !on.hash.IsZero() && h.ParentHash != on.hash:",
		"		case false:",
	}}},
	{"take a header and a state update of different blocks", []edit{{
		"service/batching/take.go",
		"	if u != nil && (",
		"	if u == nil && (",
	}}},
	{"measure only the block that is too much by weights", []edit{{
		"service/batching/sizes.go",
		"		next = first\n",
		"		next = r.header.Number\n",
	}}},
	{"expect fewer DA words by weights than there may be", []edit{{
		"core/batch/rules.go",
		"	return n + n/4 + 3",
		"	return n / 8",
	}}},
	{"a read error keeps a batch open", []edit{{
		"service/batching/pass.go",
		"	if stop == nil || !stop.frozen {",
		"	if unreadable == nil && (stop == nil || !stop.frozen) {",
	}}},
	{"a block that is not there yet fails the chunk", []edit{{
		"service/batching/take.go",
		"absent := errors.Is(err, block.ErrNotFound)",
		"absent := false",
	}}},
	{"ignore the weights", []edit{{
		"core/batch/rules.go",
		"sum.Exceeds(l.SnosWeights)",
		"sum.Exceeds(l.Weights)",
	}}},
	{"ignore the DA words of an L3", []edit{{
		"core/batch/rules.go",
		"	if l.DAWords != 0 && c.DAWords > l.DAWords {",
		"	if false {",
	}}},
	{"publish only what one transaction carries", []edit{{
		"service/datasubmission/datasubmission.go",
		"	n := max(1, (len(words)+m.PartWords-1)/m.PartWords)",
		"	n := 1",
	}}},
	{"fail a state update for which the contract must change", []edit{{
		"service/statetransition/configured.go",
		"	return executor.Await(cutover.Waiting(starknet, what), contractWait, errors.New(what))",
		"	_, _, _ = executor.Await, cutover.Waiting, contractWait\n" +
			"	return job.Permanent(errors.New(what))",
	}}},
	{"do not announce a cutover", []edit{{
		"service/batching/pass.go",
		"		p.announce(ctx)",
		"		_ = p.announce",
	}}},
	{"reads of one look are mixed", []edit{{
		"client/several/set.go",
		"	if node, ok := l.Node(s); ok {\n" +
			"		return node, nil\n" +
			"	}",
		"	if node, ok := l.Node(s); ok {\n" +
			"		node = (node + 1) % len(s.o.Names)\n" +
			"		l.Keep(s, node)\n" +
			"		return node, nil\n" +
			"	}",
	}}},
	{"a lagging node is believed", []edit{{
		"client/several/choose.go",
		"	case s.head < l.least:",
		"	case false:",
	}, {
		"client/several/choose.go",
		"	case s.head+l.slack < l.highest:",
		"	case false:",
	}}},
	{"a fact that is gone is not registered again", []edit{{
		"service/statetransition/check.go",
		"		if !ok {\n" +
			"			return nil // it is at work\n" +
			"		}",
		"		if ok || !ok {\n" +
			"			return nil // it is at work\n" +
			"		}",
	}}},
	{"accept jobs of an old epoch", []edit{{
		"service/executor/discarded.go",
		"	if _, active := s.Active(); active || signed(j) {\n" +
			"		return true, nil\n" +
			"	}",
		"	if _, active := s.Active(); active || signed(j) || len(s.Rewinds) > 0 {\n" +
			"		return false, nil\n" +
			"	}",
	}}},
	{"make jobs of discarded batches", []edit{{
		"service/triggering/rewound.go",
		"	run.rewinds = s",
		"	_ = s",
	}}},
	{"rewind batches whose transactions may still be mined", []edit{{
		"core/rewind/decide.go",
		"		case Dead:",
		"		case Dead, Open:",
	}}},
	{"use the artifacts of a discarded batch", []edit{{
		"core/artifact/key.go",
		"	if epoch == 0 {",
		"	if epoch < 100 {",
	}}},
	{"end a rewind before everything is discarded", []edit{{
		"service/rewinding/continue.go",
		"		if !ok || !r.stale(s, top) {\n" +
			"			return r.finish(ctx, s, discarded)",
		"		if !ok || !r.stale(s, top) || discarded == 1 {\n" +
			"			return r.finish(ctx, s, discarded)",
	}, {
		"service/rewinding/continue.go",
		"	if err := r.strays(ctx, s); err != nil {\n" +
			"		return s, err\n" +
			"	}\n",
		"",
	}, {
		"service/batching/rewound.go",
		"	if !s.Stale(k, index, epoch) {",
		"	if true {",
	}}},
	{"a nonce that was lost is taken for settled", []edit{{
		"core/tx/decide.go",
		"		case v.Account.Confirmed > r.Nonce:",
		"		case false && v.Account.Confirmed > r.Nonce:",
	}}},
}
