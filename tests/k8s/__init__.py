"""The image and the manifests."""
