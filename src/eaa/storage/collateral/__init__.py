"""What a caching service of endorsements keeps: documents, platforms with certificates, requests."""
