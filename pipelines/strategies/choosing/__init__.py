"""What `auto` looks at before it chooses."""
