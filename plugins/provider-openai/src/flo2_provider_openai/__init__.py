"""OpenAI: chat completions, embeddings and the model list."""
