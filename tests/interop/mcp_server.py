"""An MCP server on stdin and stdout, for the test of the example."""

from mcp.server import MCPServer
from mcp.server.mcpserver import Image
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("weather")


@server.tool()
def get_weather(city: str, days: int = 1) -> str:
    """Look up the weather."""
    return f"rain in {city} for {days} days"


@server.tool(structured_output=False)
def get_chart(city: str) -> list[str | Image]:
    """Draw a chart."""
    return [f"The chart of {city}", Image(data=b"\x89PNG", format="png")]


@server.tool()
def get_moon() -> str:
    """Look up the moon."""
    raise ToolError("it is cloudy")


if __name__ == "__main__":
    server.run("stdio")
