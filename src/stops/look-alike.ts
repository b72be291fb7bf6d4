/**
 * Cyrillic and Greek letters that look like Latin ones in most fonts (after Unicode TR 39, the part of it that a name of a tool
 * needs). What is missing here is not taken for its neighbour.
 */
const latin: Readonly<Record<string, string>> = {
  а: 'a', в: 'b', с: 'c', ԁ: 'd', е: 'e', һ: 'h', і: 'i', ј: 'j', к: 'k', ӏ: 'l', м: 'm', н: 'h', о: 'o', р: 'p',
  ԛ: 'q', ѕ: 's', т: 't', ѵ: 'v', ԝ: 'w', х: 'x', у: 'y', ү: 'y', α: 'a', β: 'b', ε: 'e', η: 'n', ι: 'i', κ: 'k',
  ν: 'v', ο: 'o', ρ: 'p', τ: 't', υ: 'u', χ: 'x', γ: 'y', ı: 'i', ɡ: 'g', ɑ: 'a',
}; // biome-ignore format: a table

/**
 * The form in which names of tools are compared with a stop: two that a person takes for the same are the same. A stop may
 * well hit a name too many, and must not miss one: a server that is stopped at `delete_*` must not go on with the same
 * letters of another alphabet, another case, or an invisible character between them.
 *
 * @param name attacker-controlled
 */
export function skeleton(name: string): string {
  if (/^[a-z0-9_*?./:-]*$/.test(name)) return name;
  const plain = name
    .normalize('NFKC')
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[\p{Default_Ignorable_Code_Point}\p{Mn}\p{Cc}\s]/gu, '');
  return [...plain].map((letter) => (Object.hasOwn(latin, letter) ? latin[letter] : letter)).join('');
}
