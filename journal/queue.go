package journal

// Queue is what waits to be written, and the most that may.
type Queue struct {
	Entries, Bytes         int
	MostEntries, MostBytes int
	Next                   uint64 // the number the next entry will have
}

// Queue reads how full the queue before the sink is.
func (c *Committer) Queue() Queue {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Queue{len(c.filling.ends), len(c.filling.body), MaxQueueEntries, maxQueueBytes, c.next}
}
