package releases

import "time"

// Restamp makes snapshot and timestamp name other bytes as a version of targets: what an attacker with the
// machine's keys, and without people's, can do.
func (r *Repository) Restamp(_ string, version int64, raw []byte, machine Machine, now time.Time) error {
	_, stamp, err := r.newestTargets()
	if err != nil { // the targets under attack may not be readable
		stamp, err = r.stampNow()
	}
	if err != nil {
		return err
	}
	return r.stamp(metaOf(version, raw), machine, snapshotVersion(stamp)+1, stamp.Signed.Version+1, now)
}
