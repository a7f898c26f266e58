package doctor

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"concord/internal/config"
)

// unitFile is the systemd unit. It must pass the doctor's own checks.
const unitFile = "../../deploy/concord.service"

func readUnit(t *testing.T) (text string, settings map[string][]string) {
	t.Helper()
	content, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	settings = make(map[string][]string)
	for line := range strings.Lines(string(content)) {
		if key, value, found := strings.Cut(strings.TrimSpace(line), "="); found && !strings.HasPrefix(key, "#") {
			settings[key] = append(settings[key], value)
		}
	}
	return string(content), settings
}

func TestUnitServesTheDoctor(t *testing.T) {
	_, unit := readUnit(t)
	files, err := strconv.ParseUint(unit["LimitNOFILE"][0], 10, 64)
	if err != nil || judgeOpenFiles(files).Status != OK {
		t.Errorf("LimitNOFILE=%v", unit["LimitNOFILE"])
	}
	if unit["Restart"][0] != "always" {
		t.Errorf("Restart=%v: a server that ends itself must be started again", unit["Restart"])
	}
}

func TestUnitNamesSettings(t *testing.T) {
	_, unit := readUnit(t)
	flags := config.AddFlags(pflag.NewFlagSet("serve", pflag.ContinueOnError))
	for _, variable := range unit["Environment"] {
		flags.Environ = append(flags.Environ, strings.ReplaceAll(variable, "%S", "/var/lib"))
	}
	c, err := flags.Load()
	if err != nil || c.Data != "/var/lib/concord" || c.Log.Format != "json" {
		t.Errorf("the unit's environment: %+v, %v", c, err)
	}
}

func TestUnitIsValid(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	text, _ := readUnit(t)
	path := filepath.Join(t.TempDir(), "concord.service")
	text = strings.Replace(text, "ExecStart=/usr/local/bin/concord", "ExecStart=/bin/true", 1) // which must be there
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"verify", path}, {"security", "--offline=yes", "--threshold=20", path}} { // 20: exposure 2.0
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", args...).CombinedOutput()
		if err != nil || args[0] == "verify" && len(out) > 0 {
			t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
		}
	}
}
