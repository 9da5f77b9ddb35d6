// Command outline makes web/console/outline.json: the schematic outlines under the map of terminals. It reads files of two
// npm packages, echarts 4.9.0 (map/json/china.json, Apache-2.0) and world-atlas 2.0.2 (land-110m.json, ISC), and writes
// coastlines and provinces with few points: whole hundredths of a degree, each point as its difference from the one before.
//
//	npm pack echarts@4.9.0 world-atlas@2.0.2
//	go run ./scripts/outline NODE_MODULES > web/console/outline.json
//
// Sources: the coding of echarts' files is that of its src/coord/geo/parseGeoJson.js; TopoJSON 1.0 (Bostock, Metcalf);
// lines are thinned by Douglas and Peucker, 1973.
package main
