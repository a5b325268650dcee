"""ttrpc: calls as gRPC has them, on a local socket, without HTTP/2. Unary calls only."""
