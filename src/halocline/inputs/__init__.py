"""What a model's input means, and how a sample of the world becomes its tensor; pure numpy."""
