-- A namespace, template or version that somebody narrows an answer to; null is any. Raises P0002,
-- with what was named, where no template is registered that fits.

create or replace function flowledger.require_known_template(
    p_namespace text, p_template text, p_version text
)
returns void
language plpgsql
stable
as $$
begin
    if exists (
        select from flowledger.template as t
        where (p_namespace is null or t.namespace = p_namespace)
            and (p_template is null or t.name = p_template)
            and (p_version is null or t.version = p_version)
    ) or coalesce(p_namespace, p_template, p_version) is null then
        return;
    end if;

    raise exception 'there is no template %/%@%',
        coalesce(p_namespace, '*'), coalesce(p_template, '*'), coalesce(p_version, '*')
        using errcode = 'P0002';
end
$$;
