package client

import "time"

// Hurry makes the waits between attempts short.
func (c *Client) Hurry() { c.patience = time.Millisecond }

// DifferentMembers is what Update judges a merge by.
var DifferentMembers = differentMembers
