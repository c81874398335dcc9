OWNER = "images.pull"
