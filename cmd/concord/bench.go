package main

import "github.com/spf13/cobra"

func (a *app) bench() *cobra.Command     { return &cobra.Command{Use: "bench"} }
func (a *app) benchEcho() *cobra.Command { return &cobra.Command{Use: "bench-echo", Hidden: true} }
