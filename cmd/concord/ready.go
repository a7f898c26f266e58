package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"concord/cmd/concord/internal/child"
	"concord/internal/config"
	"concord/internal/node"
	"concord/persistence/pebblestore"
)

// start starts the node. A ready file of an earlier start is removed, so that nobody takes it for this one's, but not if
// it is that of the server which has the data directory now.
func start(o node.Options, c *config.Config) (*node.Node, error) {
	aside := c.ReadyFile + ".aside"
	if c.ReadyFile != "" {
		if err := os.Rename(c.ReadyFile, aside); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("ready file: %w", err)
		}
	}
	n, err := node.Start(o)
	if errors.Is(err, pebblestore.ErrInUse) {
		err = fmt.Errorf("the data directory %s is in use by another server: %w", c.Data, err)
		if c.ReadyFile != "" {
			_ = os.Rename(aside, c.ReadyFile) // there may have been none
		}
		return nil, err
	}
	if c.ReadyFile != "" {
		_ = os.Remove(aside) // there may have been none, and what is left of it misleads nobody
	}
	return n, err
}

// writeReady tells whoever waits where the server is. The file is there with all of its content or not at all.
func writeReady(path string, at child.Addresses) error {
	if path == "" {
		return nil
	}
	text, err := json.Marshal(at)
	if err != nil {
		return fmt.Errorf("ready file: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".ready-*")
	if err != nil {
		return fmt.Errorf("ready file: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("ready file: %w", err), os.Remove(f.Name()))
	}
	return nil
}

// removeReady removes a ready file, if there is one.
func removeReady(path string) error {
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("ready file: %w", err)
	}
	return nil
}
