"""What is random in training: dropout of numbers, regions and whole layers."""
