package main

import (
	"fmt"

	"touchstone/registry"
	"touchstone/terminal"
)

// Where sample shops stand, and how a terminal says where it is.

// sampleRadius is how far from its shop's middle a sample terminal may be, in metres.
const sampleRadius = 300

// samplePlace is the circle of a sample shop: they stand a kilometre apart on a street of Shanghai that is made up. A
// message from outside is refused.
func samplePlace(shop int) *registry.Circle {
	return &registry.Circle{Latitude: 31_200_000 + int32(shop)*9_000, Longitude: 121_400_000 + int32(shop)*100, Metres: sampleRadius, Refuse: true}
}

// locationOf is what a terminal in the middle of a circle reports; nil without one.
func locationOf(c *registry.Circle) *terminal.Location {
	if c == nil {
		return nil
	}
	return &terminal.Location{Longitude: fmt.Sprintf("%+.5f", float64(c.Longitude)/1e6), Latitude: fmt.Sprintf("%+.5f", float64(c.Latitude)/1e6), System: "GCJ02"}
}

// parseLocation reads "31.230400,121.473700": degrees north, degrees east; "" is none.
func parseLocation(text string) (*terminal.Location, error) {
	if text == "" {
		return nil, nil
	}
	c, err := circleOf(text+",1", false)
	if err != nil {
		return nil, fmt.Errorf("place %.40q: want degrees north and east, such as 31.230400,121.473700", text)
	}
	return locationOf(c), nil
}
