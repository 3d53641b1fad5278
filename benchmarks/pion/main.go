// One end of a two-process benchmark for Pion v3: pion pion ROLE MODE [ARGUMENT...]
//
// What is measured, and what the ends say to each other, is told in webrtc_stack/cli/bench/ends.py. Built by
// `python benchmarks/compare.py --build-pion` from Debian's golang-github-pion-webrtc.v3-dev.
package main

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v3"
)

const (
	high         = 1 << 20
	low          = 256 << 10
	settle       = 300 * time.Millisecond
	framePackets = 50
)

type message map[string]interface{}

var (
	offers    = os.Args[2] == "offer"
	arguments = os.Args[4:]
	incoming  = make(chan map[string]json.RawMessage, 1<<16)
	writing   sync.Mutex
	api       *webrtc.API
	codec     = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func integer(at int) int {
	value, err := strconv.Atoi(arguments[at])
	must(err)
	return value
}

func number(at int) float64 {
	value, err := strconv.ParseFloat(arguments[at], 64)
	must(err)
	return value
}

func span(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func line(file *os.File, before string, value message) {
	text, err := json.Marshal(value)
	must(err)
	writing.Lock()
	defer writing.Unlock()
	fmt.Fprintln(file, before+string(text))
}

func tell(value message)   { line(os.Stdout, "", value) }
func result(value message) { line(os.Stderr, "RESULT ", value) }

func cpu() float64 {
	var used syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}

type meter struct {
	wall time.Time
	cpu  float64
}

func newMeter() meter { return meter{time.Now(), cpu()} }

func (m meter) into(value message) message {
	value["wall"], value["cpu"] = time.Since(m.wall).Seconds(), cpu()-m.cpu
	return value
}

func hear() {
	scanner := bufio.NewScanner(os.Stdin)
	scanner.Buffer(make([]byte, 1<<16), 1<<24)
	for scanner.Scan() {
		var heard map[string]json.RawMessage
		must(json.Unmarshal(scanner.Bytes(), &heard))
		incoming <- heard
	}
	close(incoming)
}

func barrier(name string) {
	tell(message{name: true})
	for heard := range incoming {
		if _, found := heard[name]; found {
			return
		}
	}
	os.Exit(1)
}

type connection struct {
	pc       *webrtc.PeerConnection
	channels chan *webrtc.DataChannel
	prepare  func(*webrtc.PeerConnection)
}

func newConnection() *connection {
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	must(err)
	return &connection{pc: pc, channels: make(chan *webrtc.DataChannel, 1)}
}

func (c *connection) describe(description webrtc.SessionDescription, trickle bool) {
	gathered := webrtc.GatheringCompletePromise(c.pc)
	must(c.pc.SetLocalDescription(description))
	if !trickle {
		<-gathered
	}
	tell(message{"description": c.pc.LocalDescription()})
}

func (c *connection) remote(heard map[string]json.RawMessage, trickle bool) {
	if text, found := heard["description"]; found {
		var description webrtc.SessionDescription
		must(json.Unmarshal(text, &description))
		must(c.pc.SetRemoteDescription(description))
		if description.Type == webrtc.SDPTypeOffer {
			if c.prepare != nil {
				c.prepare(c.pc)
			}
			answer, err := c.pc.CreateAnswer(nil)
			must(err)
			c.describe(answer, trickle)
		}
	} else if text, found := heard["candidate"]; found && string(text) != "null" {
		var candidate webrtc.ICECandidateInit
		must(json.Unmarshal(text, &candidate))
		must(c.pc.AddICECandidate(candidate))
	}
}

// Connects both ends, and says how long it took.
func (c *connection) connect(trickle bool) (*webrtc.DataChannel, float64) {
	if trickle {
		described := make(chan bool)
		var once sync.Once
		c.pc.OnSignalingStateChange(func(webrtc.SignalingState) { once.Do(func() { close(described) }) })
		c.pc.OnICECandidate(func(found *webrtc.ICECandidate) {
			if found != nil {
				go func() { // behind the description
					<-described
					time.Sleep(time.Millisecond)
					tell(message{"candidate": found.ToJSON()})
				}()
			}
		})
	}
	c.pc.OnDataChannel(func(channel *webrtc.DataChannel) { channel.OnOpen(func() { c.channels <- channel }) })
	if offers {
		channel, err := c.pc.CreateDataChannel("bench", nil)
		must(err)
		channel.OnOpen(func() { c.channels <- channel })
	}
	barrier("ready")
	begun := time.Now()
	over := make(chan bool)
	go func() {
		for heard := range incoming {
			if _, found := heard["bye"]; found {
				break
			}
			c.remote(heard, trickle)
		}
		close(over)
	}()
	if offers {
		offer, err := c.pc.CreateOffer(nil)
		must(err)
		c.describe(offer, trickle)
	}
	channel := <-c.channels
	took := time.Since(begun).Seconds()
	tell(message{"bye": true})
	<-over
	return channel, took
}

func throughput() {
	size, seconds := integer(0), number(1)
	c := newConnection()
	channel, _ := c.connect(false)
	done := make(chan string, 1)
	if offers {
		drained := make(chan bool, 1)
		channel.SetBufferedAmountLowThreshold(low)
		channel.OnBufferedAmountLow(func() {
			select {
			case drained <- true:
			default:
			}
		})
		channel.OnMessage(func(webrtc.DataChannelMessage) { done <- "" })
		barrier("ready")
		time.Sleep(settle)
		data := make([]byte, size)
		_, err := rand.Read(data)
		must(err)
		used, sent := newMeter(), 0
		for end := time.Now().Add(span(seconds)); time.Now().Before(end); sent++ {
			must(channel.Send(data))
			if channel.BufferedAmount() > high {
				select {
				case <-drained:
				case <-time.After(500 * time.Millisecond):
				}
			}
		}
		must(channel.SendText(fmt.Sprintf("done %d", sent)))
		<-done
		result(used.into(message{"messages": sent}))
	} else {
		messages, bytes, used := 0, 0, newMeter()
		channel.OnMessage(func(heard webrtc.DataChannelMessage) {
			if heard.IsString {
				done <- strings.TrimPrefix(string(heard.Data), "done ")
				return
			}
			if messages == 0 {
				used = newMeter()
			}
			messages++
			bytes += len(heard.Data)
		})
		barrier("ready")
		expected, err := strconv.Atoi(<-done)
		must(err)
		result(used.into(message{"messages": messages, "bytes": bytes, "expected": expected}))
		must(channel.SendText("seen"))
	}
	time.Sleep(200 * time.Millisecond)
	barrier("over")
	must(c.pc.Close())
}

func connecting() {
	count, trickle := integer(0), arguments[1] == "trickle"
	times, used := []float64{}, newMeter()
	for i := 0; i <= count; i++ {
		if i == 1 { // the first one loads what is loaded once
			used = newMeter()
		}
		c := newConnection()
		_, took := c.connect(trickle)
		times = append(times, took)
		must(c.pc.Close())
	}
	result(used.into(message{"times": times[1:]}))
}

func ping() {
	count := integer(0)
	c := newConnection()
	channel, _ := c.connect(false)
	came := make(chan bool, 1)
	channel.OnMessage(func(webrtc.DataChannelMessage) { came <- true })
	barrier("ready")
	data, times := make([]byte, 64), []float64{}
	if offers {
		time.Sleep(settle)
	}
	used := newMeter()
	for i := 0; i < count; i++ {
		begun := time.Now()
		if offers {
			must(channel.Send(data))
		}
		<-came
		if !offers {
			must(channel.Send(data))
		}
		times = append(times, time.Since(begun).Seconds())
	}
	result(used.into(message{"times": times}))
	barrier("over")
	must(c.pc.Close())
}

func kilobytes() float64 {
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	must(err)
	for _, one := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(one, "Pss:") {
			value, err := strconv.ParseFloat(strings.Fields(one)[1], 64)
			must(err)
			return value
		}
	}
	must(fmt.Errorf("the kernel does not say how much memory is in use"))
	return 0
}

func idle() {
	count, seconds := integer(0), number(1)
	made, first := []*connection{}, 0.0
	for i := 0; i <= count; i++ {
		c := newConnection()
		c.connect(false)
		made = append(made, c)
		if i == 0 {
			time.Sleep(settle)
			first = kilobytes()
		}
	}
	barrier("ready")
	time.Sleep(time.Second)
	full, used := kilobytes(), newMeter()
	time.Sleep(span(seconds))
	spent := (cpu() - used.cpu) / time.Since(used.wall).Seconds()
	barrier("measured")
	result(message{
		"process_kilobytes": first, "kilobytes": (full - first) / float64(count), "cpu": spent / float64(count+1),
	})
	for _, c := range made {
		must(c.pc.Close())
	}
}

var sequence uint16

func writeFrames(track *webrtc.TrackLocalStaticRTP, seconds float64, frames int) int {
	payload := append([]byte{0x90, 0x80, 0x80, 0}, make([]byte, 1196)...)
	begun, sent := time.Now(), 0
	for now := 0.0; now < seconds; now = time.Since(begun).Seconds() {
		if frames == 0 || float64(sent) <= now*float64(frames) {
			for i := 0; i < framePackets; i++ {
				header := rtp.Header{
					Version: 2, PayloadType: 96, SequenceNumber: sequence, Timestamp: uint32(sent * 3000),
					Marker: i == framePackets-1,
				}
				must(track.WriteRTP(&rtp.Packet{Header: header, Payload: payload}))
				sequence++
			}
			sent++
		}
		if frames != 0 {
			time.Sleep(span(float64(sent)/float64(frames) - time.Since(begun).Seconds()))
		}
	}
	return sent * framePackets
}

func newTrack() *webrtc.TrackLocalStaticRTP {
	track, err := webrtc.NewTrackLocalStaticRTP(codec, "video", "bench")
	must(err)
	return track
}

var received int64

func count(pc *webrtc.PeerConnection, also func(*rtp.Packet)) {
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			packet, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			atomic.AddInt64(&received, 1)
			if also != nil {
				also(packet)
			}
		}
	})
}

func send(pc *webrtc.PeerConnection, track *webrtc.TrackLocalStaticRTP) {
	sender, err := pc.AddTrack(track)
	must(err)
	go func() { // reports have to be read
		buffer := make([]byte, 1500)
		for {
			if _, _, err := sender.Read(buffer); err != nil {
				return
			}
		}
	}()
}

func media() {
	seconds, frames := number(0), integer(1)
	c, track := newConnection(), newTrack()
	if offers {
		send(c.pc, track)
	} else {
		count(c.pc, nil)
	}
	c.connect(false)
	barrier("ready")
	time.Sleep(settle)
	before, packets, used := atomic.LoadInt64(&received), 0, newMeter()
	if offers {
		packets = writeFrames(track, seconds, frames)
	} else {
		time.Sleep(span(seconds))
		packets = int(atomic.LoadInt64(&received) - before)
	}
	result(used.into(message{"packets": packets}))
	barrier("over")
	must(c.pc.Close())
}

func fanout() {
	copies, frames, seconds := integer(0), integer(1), number(2)
	made, source, out := []*connection{}, newTrack(), newTrack()
	var sent int64
	for i := 0; i <= copies; i++ {
		c := newConnection()
		if offers && i == 0 {
			send(c.pc, source)
		} else if offers {
			_, err := c.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{
				Direction: webrtc.RTPTransceiverDirectionRecvonly,
			})
			must(err)
			count(c.pc, nil)
		} else if i == 0 {
			count(c.pc, func(packet *rtp.Packet) {
				if out.WriteRTP(packet) == nil {
					atomic.AddInt64(&sent, int64(copies))
				}
			})
		} else {
			c.prepare = func(pc *webrtc.PeerConnection) { send(pc, out) }
		}
		c.connect(false)
		made = append(made, c)
	}
	barrier("ready")
	time.Sleep(settle)
	before := atomic.LoadInt64(&received)
	atomic.StoreInt64(&sent, 0)
	used := newMeter()
	if offers {
		atomic.StoreInt64(&sent, int64(writeFrames(source, seconds, frames)))
	} else {
		time.Sleep(span(seconds))
	}
	values := used.into(message{})
	time.Sleep(settle)
	values["sent"], values["received"] = atomic.LoadInt64(&sent), atomic.LoadInt64(&received)-before
	result(values)
	barrier("over")
	for _, c := range made {
		must(c.pc.Close())
	}
}

func main() {
	engine := &webrtc.MediaEngine{}
	must(engine.RegisterCodec(
		webrtc.RTPCodecParameters{RTPCodecCapability: codec, PayloadType: 96}, webrtc.RTPCodecTypeVideo))
	api = webrtc.NewAPI(webrtc.WithMediaEngine(engine)) // without interceptors: nothing but forwarding
	go hear()
	modes := map[string]func(){
		"throughput": throughput, "connect": connecting, "ping": ping, "media": media, "fanout": fanout, "idle": idle,
	}
	modes[os.Args[3]]()
}
