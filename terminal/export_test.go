package terminal

// Quick makes the hashes of passwords cheap, for tests of rules.
func (c *Config) Quick() { c.passwordMemory = 8 }
