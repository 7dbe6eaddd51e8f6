"""The control socket: HTTP/1.1 on a Unix socket, typed on both ends."""
