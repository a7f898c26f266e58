package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// startNATS runs a NATS server for the test.
func startNATS(t *testing.T, change func(*server.Options)) string {
	t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(),
		MaxPayload: 8 << 20, NoSigs: true, NoLog: true}
	change(o)
	ns, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() {
		ns.Shutdown()
		ns.WaitForShutdown()
	})
	if !ns.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server did not start")
	}
	return ns.ClientURL()
}

func TestExternalServer(t *testing.T) {
	for name, row := range map[string]struct {
		change                    func(*server.Options)
		version, streams, payload Status
	}{
		"as it should be":   {func(*server.Options) {}, OK, OK, OK},
		"without JetStream": {func(o *server.Options) { o.JetStream = false }, OK, Fail, OK},
		"small messages":    {func(o *server.Options) { o.MaxPayload = 512 << 10 }, OK, OK, Fail},
		"default messages":  {func(o *server.Options) { o.MaxPayload = 1 << 20 }, OK, OK, Warn},
	} {
		t.Run(name, func(t *testing.T) {
			c := settings(t)
			c.NATS.URL = startNATS(t, row.change)
			findings := Run(t.Context(), c)
			for check, want := range map[string]Status{"nats": row.version, "nats streams": row.streams, "nats payload": row.payload} {
				if f := find(t, findings, check); f.Status != want {
					t.Errorf("%s: %+v, want %s", check, f, want)
				}
			}
			if strings.Contains(names(findings), "nats port") {
				t.Error("the port of no server was looked at")
			}
		})
	}
}

func TestExternalServerThatIsNotThere(t *testing.T) {
	c := settings(t)
	c.NATS.URL = "nats://me:hush@127.0.0.1:1"
	f := find(t, Run(t.Context(), c), "nats")
	if f.Status != Fail || !strings.Contains(f.Detail, "nats://xxxxx@127.0.0.1:1") || strings.Contains(f.Detail, "hush") {
		t.Errorf("nats: %+v", f)
	}
}

func TestExternalServerWantsAPassword(t *testing.T) {
	c := settings(t)
	url := startNATS(t, func(o *server.Options) { o.Username, o.Password = "me", "hush" })
	for given, want := range map[string]Status{
		url: Fail,
		strings.Replace(url, "://", "://me:hush@", 1): OK,
	} {
		c.NATS.URL = given
		if f := find(t, external(t.Context(), c), "nats"); f.Status != want || strings.Contains(f.Detail, "hush") {
			t.Errorf("%s: %+v, want %s", given, f, want)
		}
	}
}
