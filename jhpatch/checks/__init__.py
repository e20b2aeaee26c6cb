"""What doctor, kernelspec check and nginx check share: checks bounded in time, and findings."""
