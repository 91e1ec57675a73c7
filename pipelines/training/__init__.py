"""Training by gradient steps: a job, a Trainer composed from parts, what it comes to."""
