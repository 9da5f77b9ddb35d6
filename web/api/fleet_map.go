package api

import (
	"context"
	"net/http"
	"time"

	"touchstone/web"
)

// MapStates counts terminals by what they may do.
type MapStates struct {
	Full       int `json:"full" doc:"may do everything"`
	Restricted int `json:"restricted" doc:"may sell, but not everything"`
	Stopped    int `json:"stopped" doc:"may not sell"`
}

// Total is all of them.
func (s MapStates) Total() int { return s.Full + s.Restricted + s.Stopped }

// MapBox is degrees: west, south, east, north.
type MapBox struct {
	West  float64 `json:"west"`
	South float64 `json:"south"`
	East  float64 `json:"east"`
	North float64 `json:"north"`
}

// MapCluster is the terminals that are registered in one cell of the grid.
type MapCluster struct {
	Box       MapBox    `json:"box"`
	Latitude  float64   `json:"latitude" doc:"of their middle, degrees north"`
	Longitude float64   `json:"longitude" doc:"degrees east"`
	States    MapStates `json:"states"`
	Outside   int       `json:"outside" doc:"that said last to be outside their registered circle"`
}

// MapTerminal is one terminal on the map.
type MapTerminal struct {
	Terminal  string    `json:"terminal"`
	Merchant  string    `json:"merchant"`
	Shop      string    `json:"shop,omitempty"`
	Latitude  float64   `json:"latitude"`
	Longitude float64   `json:"longitude"`
	Metres    int       `json:"metres" doc:"radius of its registered circle"`
	State     string    `json:"state" enum:"full,restricted,stopped"`
	Reported  bool      `json:"reported" doc:"it said where it is"`
	AtLat     float64   `json:"reported_latitude,omitempty"`
	AtLon     float64   `json:"reported_longitude,omitempty"`
	At        time.Time `json:"reported_at,omitzero"`
	Proven    bool      `json:"reported_proven" doc:"the message that said so bore a MAC that verified"`
	Away      int       `json:"metres_from_middle" doc:"of the reported place, from the middle of the circle"`
	Outside   bool      `json:"outside"`
}

// Map is registered places within a box: clusters, or single terminals where they are few.
type Map struct {
	Counted
	Box       MapBox        `json:"box"`
	Whole     MapBox        `json:"whole" doc:"the box of all registered places"`
	Placed    int           `json:"placed" doc:"terminals with a registered place"`
	Unplaced  int           `json:"unplaced" doc:"terminals without one"`
	Here      int           `json:"here" doc:"placed within the box"`
	Outside   int           `json:"outside" doc:"in the whole estate: said last to be outside their circle"`
	Clusters  []MapCluster  `json:"clusters" nullable:"false"`
	Terminals []MapTerminal `json:"terminals" nullable:"false" doc:"where at most 60 are here, and the box is at most 3 degrees wide"`
	Strays    []MapTerminal `json:"strays" nullable:"false" doc:"of those outside their circle, at most 50"`
}

// MapQuery is what part of the world is looked at. Without a box it is that of all registered places.
type MapQuery struct {
	AsOf
	Box string `query:"box" maxLength:"80" doc:"west,south,east,north in degrees" example:"121.3,31.1,121.6,31.4"`
}

// MapBook is where terminals are.
type MapBook interface {
	Map(ctx context.Context, who *web.Caller, q *MapQuery) (Map, error)
}

func (a *API) estateMap(d *Desk) {
	Add(a, Operation{ID: "get-map", Method: http.MethodGet, Path: "/terminals/map", Summary: "Where terminals are registered, in clusters", Tag: "terminals", Rule: web.Staff}, d.Map.Map)
}
