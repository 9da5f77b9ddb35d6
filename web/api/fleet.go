package api

import "time"

// Counted says when figures were made for which every terminal was looked at: such figures are counted anew while
// somebody asks for them, and never for one request alone.
type Counted struct {
	At   time.Time  `json:"counted_at" doc:"when every terminal was looked at"`
	Age  int        `json:"age_seconds" doc:"how long ago that was"`
	AsOf *time.Time `json:"as_of,omitempty" doc:"the moment that is told of; absent: when it was counted"`
}

// Sold is approved sales: how many, and their amounts in minor units as they were approved.
type Sold struct {
	Sales  int64 `json:"sales"`
	Amount int64 `json:"amount" doc:"minor units"`
}

// Bar is terminals by one word.
type Bar struct {
	Key       string `json:"key"`
	Label     Text   `json:"label"`
	Terminals int    `json:"terminals"`
}

// FleetBooks are the ports of the estate's care.
type FleetBooks struct {
	Grades   GradeBook
	Permits  PermitBook
	Care     CareBook
	Training TrainingBook
	Updates  UpdateBook
	Keys     KeyBook
	Map      MapBook
}

// fleet registers the operations of the estate's care: grades, permits, inspections, training, updates, keys, the map.
func (a *API) fleet(d *Desk) {
	a.grades(d)
	a.permits(d)
	a.care(d)
	a.training(d)
	a.updates(d)
	a.keys(d)
	a.estateMap(d)
}
