package capture

import (
	"context"
	"fmt"
	"net"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

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
	if err := once(socket, name); err != nil {
		_ = socket.Close()
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

// once leaves out, on a loopback interface, the sight of each packet on its way out: it comes in as well.
func once(socket *pcapgo.EthernetHandle, name string) error {
	device, err := net.InterfaceByName(name)
	if err != nil || device.Flags&net.FlagLoopback == 0 {
		return err
	}
	filter, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 1},
		bpf.RetConstant{Val: MaxPacket},
		bpf.RetConstant{Val: 0},
	})
	if err != nil {
		return err
	}
	return socket.SetBPF(filter)
}
