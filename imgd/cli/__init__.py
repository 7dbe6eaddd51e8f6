"""The two commands: `imgd` runs the daemon, `imgctl` talks to it."""
