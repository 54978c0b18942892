package l1

// RegisterFact has the next block register the fact of a batch's update, unless a block has it. A reorganisation of
// that block takes it back for good: whoever registered it must do so again.
func (s *Chain) RegisterFact(batch uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp()
	if _, known := s.facts[batch]; !known {
		s.facts[batch] = s.tip(0).number + 1
	}
}

// ForgetFact makes the fact of a batch's update another one, which is not registered: the batch is not the one that had
// its index before.
func (s *Chain) ForgetFact(batch uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.facts, batch)
}

// FactRegistered says whether a block has the fact of a batch's update.
func (s *Chain) FactRegistered(batch uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp()
	return s.proven(batch, s.tip(0).number)
}

// proven says whether the fact of a batch's update is registered up to a block. The caller holds the lock.
func (s *Chain) proven(batch, block uint64) bool {
	at, known := s.facts[batch]
	return known && at <= block
}

// takeBack removes the facts of blocks from a number on. The caller holds the lock.
func (s *Chain) takeBack(from uint64) {
	for batch, at := range s.facts {
		if at >= from {
			delete(s.facts, batch)
		}
	}
}
