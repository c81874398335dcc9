"""What a saved image looks like in a tar, in every form that `docker load` takes."""
