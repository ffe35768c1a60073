"""Bring messages to people: mail, webhook, chat, pings; and the worker that sends them."""
