"""What pages show, made from the run folders: values without a request or an answer."""
