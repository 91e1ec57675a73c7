"""What the whole package uses: errors, the console, processes, the machine, the registry."""
