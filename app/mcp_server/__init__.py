"""The MCP server: the documents as tools and resources for assistants, over stdio and over HTTP."""
