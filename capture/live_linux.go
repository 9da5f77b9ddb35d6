package capture

import (
	"context"
	"fmt"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// ReadInterface takes the packets that pass a network interface until the context ends, which is no error. It opens a
// packet socket (AF_PACKET) that it only receives from, and needs the capability CAP_NET_RAW.
func (t *Tracker) ReadInterface(ctx context.Context, name string) error {
	socket, err := pcapgo.NewEthernetHandle(name)
	if err != nil {
		return fmt.Errorf("listen on interface %s: %w", name, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = socket.Close() }) // ends the reading
	err = t.run(ctx, socket, layers.LinkTypeEthernet)
	if stop() {
		_ = socket.Close() // it was only received from
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}
