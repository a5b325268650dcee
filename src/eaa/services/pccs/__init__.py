"""The caching service of endorsements: Intel's PCS and PCCS API, AMD's KDS, Hygon's certificates."""
