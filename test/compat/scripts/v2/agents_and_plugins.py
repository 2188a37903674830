# Look for agents and plugins (2.10.0).
import os

import freechat_sdk
from freechat_sdk.models import AgentQueryDTO, AgentQueryWhere, PluginQueryDTO, PluginQueryWhere

configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])
with freechat_sdk.ApiClient(configuration) as api_client:
    agents = freechat_sdk.AgentApi(api_client)
    query = AgentQueryDTO(where=AgentQueryWhere(visibility="private", ai_models=["[open_ai]gpt-4o"], aiModelsOp="or"))
    print(agents.count_agents(query))
    for agent in agents.search_agent_summary(query):
        print(agent.agent_id, agent.name, agent.format, agent.ai_models, agent.description)
    first = agents.get_agent_details(1)
    print(first.agent_uid, first.version, first.to_dict().get("config"))
    print(agents.delete_agents([2, 3]))

    plugins = freechat_sdk.PluginApi(api_client)
    where = PluginQueryWhere()
    where.visibility = "private"
    where.manifest_format = "dash_scope"
    for plugin in plugins.search_plugin_summary(PluginQueryDTO(where=where, order_by=["createTime asc"])):
        print(plugin.plugin_id, plugin.name, plugin.manifest_format, plugin.api_format, plugin.provider)
    created = plugins.create_plugin(
        freechat_sdk.PluginCreateDTO(
            name="weather", manifest_format="dash_scope", manifest_info="{}", api_format="openapi_v3", api_info="{}"
        )
    )
    print(created, plugins.refresh_plugin_info(created), plugins.delete_plugin(created))
