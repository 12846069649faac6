"""What a model says of a text: the chunks of a corpus that are nearest to what it predicts."""
