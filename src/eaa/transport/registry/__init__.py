"""A client of image registries [OCI-DISTRIBUTION]: manifests, blobs and signatures, bounded and verified."""
