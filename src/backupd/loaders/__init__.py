"""Where dumps go back to: databases on their servers."""
