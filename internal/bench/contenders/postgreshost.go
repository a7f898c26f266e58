package contenders

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"concord/internal/bench"
)

const (
	postgresPackage  = "postgresql"
	postgresUserName = "postgres"
	// postgresDirs is where Debian keeps the programs of each version; they are not in PATH.
	postgresDirs = "/usr/lib/postgresql/*/bin"
)

// postgresPrograms returns the directory of initdb and postgres: what pg_config says, else Debian's.
func postgresPrograms() (string, error) {
	var dirs []string
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	debian, err := filepath.Glob(postgresDirs)
	if err != nil {
		return "", fmt.Errorf("look for postgres: %w", err)
	}
	for _, dir := range append(dirs, debian...) {
		_, initdb := os.Stat(filepath.Join(dir, "initdb"))
		_, server := os.Stat(filepath.Join(dir, "postgres"))
		if initdb == nil && server == nil {
			return dir, nil
		}
	}
	return "", bench.ErrNotInstalled{Program: "postgres", Package: postgresPackage}
}

// postgresAccount returns whom the server runs as: us, or its own user if we are root.
func postgresAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	entry, err := user.Lookup(postgresUserName)
	if err != nil {
		return nil, bench.ErrNotInstalled{Program: "the system user " + postgresUserName, Package: postgresPackage}
	}
	uid, errUID := strconv.ParseUint(entry.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(entry.Gid, 10, 32)
	if err := errors.Join(errUID, errGID); err != nil {
		return nil, fmt.Errorf("user %s: %w", postgresUserName, err)
	}
	return &account{uint32(uid), uint32(gid)}, nil
}

// postgresHome makes the server's directory below dir, and makes sure that the account can reach it.
func postgresHome(dir string, as *account) (string, error) {
	home, err := filepath.Abs(filepath.Join(dir, "server"))
	if err != nil {
		return "", fmt.Errorf("directory of postgres: %w", err)
	}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return "", fmt.Errorf("directory of postgres: %w", err)
	}
	if as == nil {
		return home, nil
	}
	if err := os.Chown(home, int(as.uid), int(as.gid)); err != nil {
		return "", fmt.Errorf("directory of postgres: %w", err)
	}
	for parent := filepath.Dir(home); ; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err != nil {
			return "", fmt.Errorf("directory of postgres: %w", err)
		}
		if !searchable(info, as) {
			return "", fmt.Errorf("user %s cannot search %s: choose another directory for the run", postgresUserName, parent)
		}
		if parent == filepath.Dir(parent) {
			return home, nil
		}
	}
}
