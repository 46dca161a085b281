"""Raw dataset -> Benchmark, one file per dataset."""
