"""What each command takes from its line, and shows; `operations.cli` lists them, modules of `operations` do them."""
