package doctor

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"concord/persistence/pebblestore"
)

// lockEnv makes the test binary a program that locks the file which it names, says so, and waits for its input to end.
const lockEnv = "DOCTOR_TEST_LOCK"

func TestMain(m *testing.M) {
	if name := os.Getenv(lockEnv); name != "" {
		lockAndWait(name)
		return
	}
	os.Exit(m.Run())
}

func lockAndWait(name string) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	}
	if err != nil {
		fmt.Println("refused")
		return
	}
	fmt.Println("locked")
	io.Copy(io.Discard, os.Stdin)
}

// another starts a process that tries to lock the file. It ends with the test.
func another(t *testing.T, name string) (pid int, said string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), lockEnv+"="+name)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
	})
	said, err = bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid, strings.TrimSpace(said)
}

func TestLockOfAnotherProcess(t *testing.T) {
	c := settings(t)
	if err := os.MkdirAll(c.StoreDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	pid, said := another(t, c.StoreDir()+"/LOCK")
	if said != "locked" {
		t.Fatalf("the other process says %q", said)
	}
	f, held := dataLock(c.StoreDir())
	if !held || f.Status != OK || !strings.Contains(f.Detail, fmt.Sprintf("in use by process %d", pid)) {
		t.Errorf("held %v: %+v", held, f)
	}
}

// To look must not cost this process its own lock: closing any descriptor of the file would.
func TestLookingAtOurOwnLockKeepsIt(t *testing.T) {
	c := settings(t)
	s, err := pebblestore.Open(c.StoreDir(), pebblestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f, held := dataLock(c.StoreDir())
	if !held || !strings.Contains(f.Detail, "this process") {
		t.Errorf("held %v: %+v", held, f)
	}
	if _, said := another(t, c.StoreDir()+"/LOCK"); said != "refused" {
		t.Errorf("another process could lock the store: %q", said)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f, held = dataLock(c.StoreDir())
	if held || !strings.Contains(f.Detail, "not in use") {
		t.Errorf("after the end, held %v: %+v", held, f)
	}
}
