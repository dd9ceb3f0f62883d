"""The local target: a stand for AWS on one Linux machine."""
