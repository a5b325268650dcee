"""gRPC: the original's administration, its server and its client."""
